// What scrolls can be reached and scrolled with the keyboard, and only as long as it scrolls.

export function reachByKeyboard() {
  const regions = [...document.querySelectorAll("[data-scrolls]")];
  const look = (region) => {
    if (region.scrollHeight > region.clientHeight + 1) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  };
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) look(target.closest("[data-scrolls]"));
  });
  for (const region of regions) for (const node of [region, ...region.children]) resized.observe(node);
}
