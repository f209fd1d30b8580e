"""What came out: columns of calls and instances, metrics, prices and their store."""
