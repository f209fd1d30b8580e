"""Many runs: policies compared on one workload, replications, and the folder that keeps what came out."""
