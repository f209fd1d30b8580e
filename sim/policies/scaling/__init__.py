"""How many instances: the decision rules of autoscalers."""
