/**
 * The base images. With Docker they come from its registry; without, from Debian's packages: a minimal
 * Debian by debootstrap and the Node binary of the lockfile, and for the build stages npm on top.
 */
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashOf } from '../cluster/cache.ts'
import { run, tryRun } from '../cluster/command.ts'
import type { Progress } from '../cluster/progress.ts'
import { fetchPackage } from '../cluster/tools.ts'
import type { Builder } from './builder.ts'
import type { Image } from './tool.ts'

const repository = join(import.meta.dirname, '..', '..')
const suite = 'bookworm'
const publicNodeImage = `node:24-${suite}-slim`
const authorities = '/etc/ssl/certs/ca-certificates.crt'
const removed = ['var/lib/apt/lists', 'var/cache/apt', 'var/log', 'usr/share/doc', 'usr/share/locale', 'usr/share/man', 'usr/share/info']
const npm = {
  name: 'npm',
  version: '11.21.1',
  sha512: 'YTzL6QBEJXyHcTu0JiUc7RKMp+mzlJtl7rGLmERaXUQeFHIMc9atdr6G9M9C8vDWbv40epoTQAzNL2/PtZVDhQ==',
} as const

export type BaseImage = {
  /** For FROM. */
  readonly name: string
  readonly key: string
  /** The image that was made here, if it was. */
  readonly made: readonly Image[]
}

/** Debian and Node, tagged `localhost/taskmill-node:24`. */
export async function nodeImage(builder: Builder, progress: Progress): Promise<BaseImage & { readonly image: Image }> {
  const dockerfile = builder.kind === 'docker' ? `FROM ${publicNodeImage}\n` : 'FROM scratch\nADD root.tar /\nCMD ["node"]\n'
  const binary = nodeBinary()
  const { version } = JSON.parse(readFileSync(join(binary, '..', '..', 'package.json'), 'utf8')) as { version: string }
  const key = await hashOf({ texts: [dockerfile, suite, version, process.arch, removed.join(' ')] })
  const context = async (folder: string): Promise<void> => {
    await writeFile(join(folder, 'Dockerfile'), dockerfile)
    if (builder.kind === 'buildah') await makeRoot(folder, binary)
  }
  const image = await builder.build(
    { name: 'localhost/taskmill-node:24', key, expectedSeconds: 80, context, dockerfile: 'Dockerfile' },
    progress,
  )
  return { name: image.reference, key, made: [image], image }
}

/** The same with npm, for the stages that install and compile. It stays on this machine, so it may know its registry and authorities. */
export async function buildImage(builder: Builder, node: BaseImage, progress: Progress): Promise<BaseImage> {
  if (builder.kind === 'docker') return { name: publicNodeImage, key: publicNodeImage, made: [] }
  const registry = (await run('npm', ['config', 'get', 'registry', '--loglevel=silent'], { cwd: '/' })).trim()
  const dockerfile = [
    `FROM ${node.name}`,
    'COPY npm /usr/local/lib/node_modules/npm',
    'COPY npmrc /usr/local/etc/npmrc',
    'COPY authorities.crt /etc/ssl/certs/ca-certificates.crt',
    'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt NPM_CONFIG_GLOBALCONFIG=/usr/local/etc/npmrc',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    '',
  ].join('\n')
  const trusted = await readFile(authorities, 'utf8').catch(() => '')
  const key = await hashOf({ texts: [node.key, dockerfile, npm.version, registry, trusted] })
  const context = async (folder: string): Promise<void> => {
    await writeFile(join(folder, 'Dockerfile'), dockerfile)
    await writeFile(join(folder, 'npmrc'), `registry=${registry}\n`)
    await writeFile(join(folder, 'authorities.crt'), trusted)
    await fetchPackage(npm, join(folder, 'npm'))
  }
  const image = await builder.build(
    { name: 'localhost/taskmill-build:24', key, expectedSeconds: 15, context, dockerfile: 'Dockerfile', bases: node.made },
    progress,
  )
  return { name: image.reference, key, made: [...node.made, image] }
}

function nodeBinary(): string {
  const binary = join(repository, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  if (!existsSync(binary)) throw new Error(`${binary} is missing: run hack/setup.sh node`)
  return binary
}

/** `root.tar` in `folder`: a minimal Debian and /usr/local/bin/node. */
async function makeRoot(folder: string, binary: string): Promise<void> {
  const root = join(folder, 'root')
  await run('debootstrap', ['--variant=minbase', suite, root, ...(await debianMirror())], { logFile: join(folder, 'debootstrap.log') })
  await run('rm', ['-rf', ...removed.map((path) => join(root, path))])
  await Promise.all(
    ['var/lib/apt/lists/partial', 'var/cache/apt/archives/partial', 'var/log/apt'].map((path) =>
      mkdir(join(root, path), { recursive: true }),
    ),
  )
  await copyFile(binary, join(root, 'usr/local/bin/node'))
  await chmod(join(root, 'usr/local/bin/node'), 0o755)
  await run('tar', ['--create', '--file', join(folder, 'root.tar'), '--numeric-owner', '--exclude=./dev/*', '--directory', root, '.'])
  await run('rm', ['-rf', '--one-file-system', root])
}

/** The mirror that apt itself uses here, so that one that was set up for this machine is used. */
async function debianMirror(): Promise<string[]> {
  const targets = await tryRun('apt-get', ['indextargets', '--format', '$(REPO_URI) $(CODENAME) $(COMPONENT)', 'Created-By: Packages'])
  const line = targets.stdout.split('\n').find((text) => text.endsWith(` ${suite} main`))
  return line === undefined ? [] : [line.split(' ')[0] ?? '']
}
