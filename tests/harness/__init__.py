"""What tests and benchmarks share: a deployment to work on, a shop's CSVs, the processes of the machine, waiting."""
