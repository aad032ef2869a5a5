"""The reader study: which texts radiologists judge, and what their answers say (`prelim study`)."""
