"""How much to order, where, when and why: stock projected over sample paths of demand, and one line per SKU."""
