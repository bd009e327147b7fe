"""What watches a replay: an observer sees every batch of packets, in order."""
