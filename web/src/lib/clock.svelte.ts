/** One clock for every relative time on the page, so that they never disagree. */
class Clock {
  now = $state(Date.now())
  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now()
    }, 15_000)
  }
}
export const clock = new Clock()
