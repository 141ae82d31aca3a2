"""What speed and accuracy are measured with: toy priors with known answers, plain versions, timing (`lsgm bench`)."""
