/** Keys of the whole page. */

/**
 * "/" goes to the search of the log, where one is open and used, else to the filter; Escape closes the log.
 * `filter`: the field. `log`: the section that `panel` fills.
 */
export function listen(filter, log, panel) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isMeant = event.key === "/" ? !isTyping(event.target) : event.key === "Escape" && closes(event, filter, panel);
    if (!isMeant) return;
    event.preventDefault();
    if (event.key === "Escape") panel.close();
    else if (panel.isOpen && log.contains(event.target)) panel.focusSearch();
    else filter.focus();
  });
}

/** In the dialog it is the dialog's, in the filter it empties that. */
function closes({ target }, filter, panel) {
  return panel.isOpen && target !== filter && target.closest("dialog") === null;
}

function isTyping(target) {
  return target.closest("input, textarea, dialog") !== null && target.type !== "checkbox";
}
