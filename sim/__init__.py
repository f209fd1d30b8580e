"""keepwarm: a discrete-event simulator for FaaS scheduling research."""
