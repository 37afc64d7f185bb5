/** Compiles `src/` to `dist/` as it is shipped: JavaScript, declarations, and the Lua scripts and definitions beside them. */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const repository = join(import.meta.dirname, '..')
const source = join(repository, 'src')
const output = join(repository, 'dist')

// Files of modules that are gone must not be shipped.
rmSync(output, { recursive: true, force: true })
const compiler = join(repository, 'node_modules', '.bin', 'tsc')
const compiled = spawnSync(compiler, ['-p', join(repository, 'tsconfig.build.json')], { stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)

for (const file of globSync('**/*.{lua,json}', { cwd: source })) {
  const target = join(output, relative(source, join(source, file)))
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(join(source, file), target)
}
chmodSync(join(output, 'main', 'cli.js'), 0o755)
