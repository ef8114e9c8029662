// Starts the server on the embedded engine, with a temporary runs folder.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const installed = new URL('../../.venv/bin/dsocr', import.meta.url).pathname
const dsocr = process.env.DSOCR ?? (existsSync(installed) ? installed : 'dsocr')
const runs = mkdtempSync(join(tmpdir(), 'dsocr-e2e-'))
const args = ['serve', '--engine', 'ppocr', '--port', process.argv[2]]
const env = {
  ...process.env,
  DEEPSEEK_OCR_RUNS_DIR: runs,
  DEEPSEEK_OCR_SERVER__PAGE_DIR: new URL('../dist', import.meta.url).pathname,
}
const server = spawn(dsocr, args, { env, stdio: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.kill(signal))
server.on('exit', (code) => {
  rmSync(runs, { recursive: true, force: true })
  process.exit(code ?? 0)
})
