"""One verb of `lsgm` per module: its options, and what it does with them."""
