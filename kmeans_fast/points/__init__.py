"""Any points: read in chunks, assigned by dense passes, and drawn from for the first centroids."""
