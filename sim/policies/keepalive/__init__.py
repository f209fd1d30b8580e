"""The keep-alive role: how long an idle instance stays."""
