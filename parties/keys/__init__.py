"""Who somebody is: an identity's key, its fingerprint, the certificates it signs, the keys derived from it."""
