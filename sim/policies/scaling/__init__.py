"""The scaling role: how many instances, by a control loop; and the decision rules of real ones, usable alone."""
