// Browsers start no workers for pages that are opened from disk; there the search runs in a
// hidden frame. The theme's own way to do so would fetch a script from the internet.
class IFrameWorker extends EventTarget {
  constructor(url) {
    super();
    this.waiting = [];
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.addEventListener("load", () => this.begin(frame.contentWindow, url), { once: true });
    document.body.append(frame);
  }

  begin(inside, url) {
    inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    const script = inside.document.createElement("script");
    script.src = url;
    script.addEventListener("load", () => {
      this.inside = inside;
      this.waiting.forEach((data) => this.postMessage(data));
    });
    inside.document.body.append(script);
  }

  postMessage(data) {
    if (!this.inside) this.waiting.push(data);
    else this.inside.dispatchEvent(new MessageEvent("message", { data }));
  }

  terminate() {}
}

if (location.protocol === "file:") {
  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
}
