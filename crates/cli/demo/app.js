// What this page can learn from its own address: every answer of a preview names its deployment and its revision.
const set = (id, text) => { document.getElementById(id).textContent = text; };

async function readFacts() {
  const began = performance.now();
  const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
  const tookMs = performance.now() - began;
  const revision = answer.headers.get("x-foreshow-revision");
  if (!answer.ok || revision === null) return;
  set("revision", revision);
  set("deployment", answer.headers.get("x-foreshow-deployment") ?? "not named");
  set("answers", tookMs < 10 ? `${tookMs.toFixed(1)} ms` : `${Math.round(tookMs)} ms`);
  set("address", location.host);
  document.querySelector(".facts").hidden = false;
}

function offerCopy() {
  if (!navigator.clipboard) return;
  const button = document.getElementById("copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById("command").textContent);
      set("copied", "Copied. Paste it into a terminal.");
    } catch {
      set("copied", "Your browser keeps the clipboard closed: select the command instead.");
    }
  });
}

offerCopy();
// Opened from a disk the page has nobody to ask; it is complete without.
readFacts().catch(() => {});
