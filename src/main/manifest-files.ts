/** Finds and reads the files that `taskmill lint` is to judge, and says which ones it passes over. */
import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { errorMessage } from '../errors/index.ts'
import { decodeManifest, type Source, type Unjudged } from '../lint/index.ts'

export type ManifestFiles = { readonly sources: readonly Source[]; readonly passedOver: readonly Unjudged[] }

/** Reads a file, the files of a folder, or (`-`) standard input. Throws if there is nothing at the path. */
export function readManifests(path: string): ManifestFiles {
  if (path === '-') return { sources: [{ path: 'stdin', ...decodeManifest(readFileSync(0)), isNamed: true }], passedOver: [] }
  const found: Found = { sources: [], passedOver: [] }
  if (statSync(path).isDirectory()) addFolder(path, [], found)
  else addFile(path, true, found)
  return found
}

type Found = { readonly sources: Source[]; readonly passedOver: Unjudged[] }

/**
 * In alphabetical order. Follows links, also to folders, but not back into a folder that it is in. Passes over hidden
 * files and node_modules, and files that kubectl ignores because of their names.
 */
function addFolder(folder: string, above: readonly string[], found: Found): void {
  const inside = [...above, realpathSync(folder)]
  for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.') || entry.name === 'node_modules') pass('Hidden', path)
    else if (isFolder(path, entry)) {
      if (inside.includes(realpathSync(path))) pass('Hidden', path)
      else addFolder(path, inside, found)
    } else if (/\.(?:ya?ml|json)$|^Kustomization$/u.test(entry.name) && !isDevice(path, entry)) addFile(path, false, found)
    else pass('OtherName', path)
  }

  function pass(reason: Unjudged['reason'], path: string): void {
    found.passedOver.push({ reason, path: shown(path) })
  }
}

function isFolder(path: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Reading a pipe in a folder would wait for ever. */
function isDevice(path: string, entry: Dirent): boolean {
  const stats = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry
  return stats !== undefined && !stats.isFile()
}

/** A file that cannot be read is a finding of its own, so that it does not hide the others. */
function addFile(path: string, isNamed: boolean, { sources }: Found): void {
  try {
    const file = realpathSync(path)
    sources.push({ path: shown(path), file, ...decodeManifest(readFileSync(path)), isNamed })
  } catch (error) {
    sources.push({ path: shown(path), text: '', fault: `cannot be read: ${errorMessage(error)}`, isNamed })
  }
}

/** With the separators of URLs on every system, as annotations of GitHub need them. */
function shown(path: string): string {
  return path.replaceAll(sep, '/')
}
