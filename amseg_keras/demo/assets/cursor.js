(frame) => {
  // A line through the plots at the frame that is shown.
  for (const plots of document.querySelectorAll(".plots[data-frames]")) {
    const { left, width, frames } = plots.dataset;
    const share = Number(left) + (Number(width) * (frame + 0.5)) / Number(frames);
    plots.querySelector(".cursor").style.left = `${100 * share}%`;
  }
}
