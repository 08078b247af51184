"""Java: what is fetched for projects of Maven and Gradle, and which Maven or Gradle does it."""
