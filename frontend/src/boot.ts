// The first script of the page: small, so that the browser paints the bar of index.html before it executes
// the rest, which it loads meanwhile.
const { dataset } = document.documentElement
const scheme = localStorage.getItem('mantine-color-scheme-value')
const isDark = scheme === 'dark' || (scheme !== 'light' && window.matchMedia('(prefers-color-scheme: dark)').matches)
dataset.mantineColorScheme = isDark ? 'dark' : 'light'
if (!window.location.hash.startsWith('#/jobs')) dataset.first = 'start'

let started = false
function start(): void {
  if (started) return
  started = true
  void import('./main')
}
requestAnimationFrame(() => setTimeout(start))
setTimeout(start, 150) // a tab in the background paints no frames
