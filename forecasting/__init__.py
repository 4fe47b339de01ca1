"""How much will sell: a mean and a distribution for every SKU and location, per period and in total."""
