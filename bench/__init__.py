"""Latency and throughput: `patsum bench`, the same articles through peers, sentence boundaries."""
