"""Resources that add Glidepath to the Envoy configuration of Istio or Envoy Gateway."""
