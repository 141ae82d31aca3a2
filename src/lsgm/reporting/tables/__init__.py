"""The paper's tables with our numbers in them, and those that the paper does not have."""
