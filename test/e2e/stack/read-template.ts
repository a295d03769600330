/**
 * Reads what `cdk synth` has written: the one stack of a `cdk.out`, with the folders of its assets.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A resource, its properties as they were written. */
export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  /** Logical ids. */
  readonly DependsOn?: string | readonly string[]
}

/** A template of CloudFormation, and where its code lies. */
export interface Template {
  readonly stackName: string
  readonly resources: Readonly<Record<string, Resource>>
  readonly parameters: Readonly<Record<string, { readonly Default?: string }>>
  readonly conditions: Readonly<Record<string, unknown>>
  /**
   * The folder that is uploaded under this key.
   * @throws where the key is of no asset of this stack
   */
  assetFolder(objectKey: string): string
}

interface Manifest {
  readonly artifacts: Readonly<Record<string, Artifact>>
}

interface Artifact {
  readonly type: string
  readonly properties?: { readonly templateFile?: string; readonly file?: string }
}

interface AssetManifest {
  readonly files: Readonly<Record<string, Asset>>
}

interface Asset {
  readonly source: { readonly path: string }
  readonly destinations: Readonly<Record<string, { readonly objectKey: string }>>
}

/**
 * Reads a `cdk.out`.
 * @throws where it has not exactly one stack
 */
export function readTemplate(folder: string): Template {
  const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T
  const artifacts = Object.entries(read<Manifest>('manifest.json').artifacts)
  const stacks = artifacts.filter(([, { type }]) => type === 'aws:cloudformation:stack')
  const [stack] = stacks
  if (stack === undefined || stacks.length > 1) {
    const names = stacks.map(([name]) => name).join(', ')
    throw new Error(`${folder} has ${stacks.length} stacks (${names}), expected one`)
  }
  const [stackName, { properties }] = stack
  const { Resources, Parameters, Conditions } = read<{
    Resources: Template['resources']
    Parameters?: Template['parameters']
    Conditions?: Template['conditions']
  }>(properties?.templateFile ?? '')
  const manifests = artifacts.filter(([, { type }]) => type === 'cdk:asset-manifest')
  const folders = foldersByKey(
    manifests.map(([, artifact]) => read<AssetManifest>(artifact.properties?.file ?? '')),
  )
  return {
    stackName,
    resources: Resources,
    parameters: Parameters ?? {},
    conditions: Conditions ?? {},
    assetFolder(objectKey) {
      const path = folders.get(objectKey)
      if (path === undefined) throw new Error(`${folder} has no asset ${JSON.stringify(objectKey)}`)
      return join(folder, path)
    },
  }
}

function foldersByKey(manifests: readonly AssetManifest[]): ReadonlyMap<string, string> {
  const assets = manifests.flatMap(({ files }) => Object.values(files))
  return new Map(
    assets.flatMap(({ source, destinations }) =>
      Object.values(destinations).map(({ objectKey }) => [objectKey, source.path] as const),
    ),
  )
}

/** The resources of some types, by logical id. */
export function resourcesOf({ resources }: Template, ...types: readonly string[]): [string, Resource][] {
  return Object.entries(resources).filter(([, { Type }]) => types.includes(Type))
}
