"""The front of API Gateway: serves the deployed stages of the REST APIs that moto's apigateway holds."""
