"""`lsgm bench`: the cost of training steps against a naive baseline, of samplers and likelihoods with their errors."""
