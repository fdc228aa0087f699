// Before anything is drawn, so that a dark page does not flash.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("ownkey-colours") ?? "auto";
  } catch {
    // A browser that keeps nothing for this page.
  }
  const scheme = chosen === "light" || chosen === "dark" ? chosen : dark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
})();
