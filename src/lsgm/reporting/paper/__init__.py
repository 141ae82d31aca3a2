"""The paper's own numbers, with which ours are compared."""
