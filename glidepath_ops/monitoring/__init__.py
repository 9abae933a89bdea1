"""What watches Glidepath from outside: the reference of its metrics, and the dashboard for Grafana."""
