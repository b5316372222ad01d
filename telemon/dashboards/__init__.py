"""The Grafana dashboards that come with telemon, and what brings them to a Grafana."""
