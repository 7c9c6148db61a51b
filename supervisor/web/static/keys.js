/** Keys of the whole page. */

/**
 * "/" goes to the search of the log, where one is open and used, else to the filter; Escape empties either, and
 * closes the log where there is nothing to empty. `filter`: the field. `log`: the section that `panel` fills.
 */
export function listen(filter, log, panel) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "/" && !isTyping(target)) goToSearch(target);
    else if (key === "Escape" && target.type === "search" && target.value) empty(target);
    else if (key === "Escape" && closes(target)) panel.close();
    else return;
    event.preventDefault();
  });

  function goToSearch(target) {
    if (panel.isOpen && log.contains(target)) panel.focusSearch();
    else filter.focus();
  }

  /** In the dialog it is the dialog's. */
  function closes(target) {
    return panel.isOpen && target !== filter && target.closest("dialog") === null;
  }
}

/** Not every browser does that by itself. */
function empty(field) {
  field.value = "";
  field.dispatchEvent(new Event("input"));
}

function isTyping(target) {
  return target.closest("input, textarea, dialog") !== null && target.type !== "checkbox";
}
