"""The rooms of serving.py: a session in a LocalCluster, requests in batches, a party's stock of noise."""
