/**
 * Writes the files that follow from others: `crds/`, the chart's copy of them and `docs/api.md` from src/api, `docs/metrics.md` from
 * src/observability, `docs/pictures/` from the rules of src/scheduling, the table of values in the chart's README from values.yaml.
 *
 *   node hack/generate.ts            writes what changed, removes what no kind has any more
 *   node hack/generate.ts --check    writes nothing; fails and names the stale files
 *
 * The same declarations give the same bytes on every machine.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { generatedFiles, generatedFolders } from './generate/files.ts'

const root = join(import.meta.dirname, '..')
const check = process.argv.includes('--check')

const wanted = await generatedFiles((path) => readFile(join(root, path), 'utf8'))
const changed: string[] = []
const leftover: string[] = []

for (const [path, content] of wanted) {
  if ((await readIfThere(join(root, path))) === content) continue
  changed.push(path)
  if (check) continue
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
}
for (const folder of generatedFolders) {
  for (const name of await readdir(join(root, folder)).catch(() => [])) {
    const path = `${folder}/${name}`
    if (wanted.has(path)) continue
    leftover.push(path)
    if (!check) await rm(join(root, path))
  }
}

const stale = [...changed, ...leftover]
if (stale.length === 0) {
  console.log(`generated files: ${wanted.size} up to date`)
} else if (check) {
  console.error(`stale, run \`make generate\`:\n${stale.map((path) => `  ${path}`).join('\n')}`)
  process.exitCode = 1
} else {
  for (const path of changed) console.log(`wrote ${path}`)
  for (const path of leftover) console.log(`removed ${path}`)
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
