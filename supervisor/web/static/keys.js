/** Keys of the whole page. */

/** "/" goes to the search of the log, where one is open and used, else to the filter. */
export function listen(filter, log, panel) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    event.preventDefault();
    if (panel.isOpen && log.contains(event.target)) panel.focusSearch();
    else filter.focus();
  });
}

function isTyping(target) {
  return target.closest("input, textarea, dialog") !== null && target.type !== "checkbox";
}
