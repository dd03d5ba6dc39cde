"""Structure: sections, which of them are alike, and the phrases within them."""
