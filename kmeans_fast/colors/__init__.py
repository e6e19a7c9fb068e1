"""Countable colours: counted, sorted into cells, assigned by whole cells, and drawn from for the first centroids."""
