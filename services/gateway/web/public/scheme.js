// Before the first paint: the scheme that the person has chosen, else the system's.
const chosen = localStorage.getItem("agenthub-scheme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.scheme = chosen;
