// Loaded before anything is drawn, so that the page doesn't flash in the other theme. No module: those wait.
(() => {
  const KEY = "portsup.theme";
  const CHOICES = ["auto", "light", "dark"];
  const system = matchMedia("(prefers-color-scheme: dark)");

  function remembered() {
    try {
      const found = localStorage.getItem(KEY);
      return CHOICES.includes(found) ? found : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  }

  let choice = remembered();

  function apply() {
    const theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  function label(button) {
    button.textContent = `Theme: ${choice}`;
  }

  function next(button) {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // then it lasts as long as the page
    }
    apply();
    label(button);
  }

  apply();
  system.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    label(button);
    button.addEventListener("click", () => next(button));
  });
})();
