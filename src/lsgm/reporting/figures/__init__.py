"""The paper's figures from our measurements, and those that the paper does not have."""
