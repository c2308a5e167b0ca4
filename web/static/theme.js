// Runs before the first paint so that a dark console never flashes white. It is a file of its own because the
// content security policy allows no inline script.
;(() => {
  const root = document.documentElement
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const read = (name) => {
    try {
      return localStorage.getItem('gatehouse.' + name)
    } catch {
      return null
    }
  }
  const paint = () => {
    const theme = read('theme')
    root.classList.toggle('dark', theme ? theme === 'dark' : dark.matches)
    root.dataset.density = read('density') ?? 'default'
  }
  paint()
  dark.addEventListener('change', paint)
  addEventListener('storage', paint)
})()
