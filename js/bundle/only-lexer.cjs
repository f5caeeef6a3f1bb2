// A loader for marked's one bundled file: of all it has, we use the lexer. What stands at its end, an instance of
// everything and properties of a function, would keep the renderer and the parser in the bundle.
const EVERYTHING = /var (\w+)=new (\w+);function (\w+)\([^)]*\)\{return \1\.parse\([^)]*\)\}\3\.options=/;
const NAMES = /export\{([^}]*)\};?/;
const USED = ['Lexer', 'Tokenizer'];

module.exports = function (source) {
  const start = source.search(EVERYTHING);
  const names = NAMES.exec(source.slice(Math.max(0, start)))?.[1].split(',');
  const used = names?.filter(name => USED.includes(name.split(' as ').at(-1)));
  if (start < 0 || used?.length !== USED.length) {
    this.emitWarning(new Error("marked's file does not end as it did: all of it is bundled"));
    return source;
  }
  return `${source.slice(0, start)}export{${used.join(',')}};`;
};
