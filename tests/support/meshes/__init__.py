"""What Istio and Envoy Gateway do with our resources, as far as they use it, on configuration of the shape they make."""
