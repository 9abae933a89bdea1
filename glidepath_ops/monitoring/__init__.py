"""The generated parts of monitoring: the reference of the metrics, and the dashboard for Grafana."""
