/**
 * What `import()` gives of CommonJS, and of Node's modules. esbuild exports nothing but `default` from such a chunk (its issue 3245), where Node
 * gives the names too, so that what runs on a laptop would not run in a worker.
 * @module
 */
import { basename } from 'node:path'
import type { Metafile, OutputFile } from 'esbuild'
import { isBuiltIn } from './built-ins.ts'

/**
 * An export `then` makes of a namespace what `import()` waits for, and so decides what it gives: what Node would, with
 * the getters of a package left alone until they are used. Behind all that a chunk has, so that the columns of its
 * source map hold; `this` is the namespace.
 */
const namespaceAsOfNode = [
  'function $errandThen(give){let m=this.default,all={__proto__:null},',
  'set=(key,what)=>Object.defineProperty(all,key,{enumerable:true,configurable:true,...what});',
  'if(Object(m)===m){for(let key of Object.keys(m))set(key,{get:()=>m[key]});',
  'if(Object.hasOwn(m,"__esModule"))set("__esModule",{value:m.__esModule})}',
  'set("default",{value:m});set("module.exports",{value:m});give($errandThen.all??=all)}',
  'export{$errandThen as then};',
].join('')

type OutputText = Pick<OutputFile, 'path' | 'text'>

/** The files, in which the chunks that are made of CommonJS give `import()` what Node gives. */
export function giveNames(files: readonly OutputText[], { inputs, outputs }: Metafile): OutputText[] {
  const isCommonJs = (entryPoint?: string) =>
    entryPoint !== undefined && (inputs[entryPoint]?.format === 'cjs' || isBuiltIn(entryPoint))
  const chunks = Object.entries(outputs).filter(([, { entryPoint }]) => isCommonJs(entryPoint))
  const names = new Set(chunks.map(([path]) => basename(path)))
  return files.map(({ path, text }) => ({
    path,
    text: names.has(basename(path)) ? `${text}${namespaceAsOfNode}\n` : text,
  }))
}
