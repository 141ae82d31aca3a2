"""What verbs measure, and the records that they leave: samples, metrics, training, origin."""
