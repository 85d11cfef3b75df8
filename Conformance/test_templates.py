"""Chat templates against jinja2, run as everybody runs them: sandboxed, with trim_blocks and lstrip_blocks.

The templates are written here, in the public forms of well-known models; thousands more are made at random.
LOOPED_TEMPLATES says how many.
"""

import datetime
import json
import os
import random
import re
import subprocess

import pytest
from chat_templates import TEMPLATES
from conftest import BINARY

jinja2 = pytest.importorskip("jinja2")
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

COUNT = int(os.environ.get("LOOPED_TEMPLATES", 20_000))
SEED = int(os.environ.get("LOOPED_TEMPLATES_SEED", 20261125))
MOMENT = 1_700_000_000

# fmt: off
# Random templates: @ stands for a double quote, ¬ for a backslash.
V={'messages':[{'role':'system','content':'Sys  é'},{'role':'user','content':'Hello wORLD'},{'role':'assistant','content':'  hi\n there '}],'n':3,'z':0,'neg':-7,'f':2.5,'s':'a,b,,c','e':'','none_':None,'t':True,'d':{'b':1,'a':[1,2],'C':'x'},'l':[3,1,2,1],'w':['b','A','c','a'],'nested':[{'a':{'b':1},'k':'x'},{'a':{'b':2},'k':'y'},{'k':'x'}],'uni':'ſtraße Ǆ ŉ \u200b\x00"\'\\','bos_token':'<s>'}
STR=["'a'","' x '","''","'Ab\\nC'",'"q\\"\'"',"s","uni","messages[1].content","messages[2]['content']","'é'"]
NUM=["0","1","2","-3","7","n","z","neg","f","1.5","10"]
LST=["l","w","[1,2,3]","messages","nested","[]","range(4)|list","(1,2)","s.split(',')","d|list","['x','y']","d.items()","d.keys()|list"]
def expr(k,kind=None):
    kind=kind or R.choice('snlbda')
    if k<=0:
        return {'s':lambda:R.choice(STR),'n':lambda:R.choice(NUM),'l':lambda:R.choice(LST),'b':lambda:R.choice(['true','false','t','none','none_','e']),'d':lambda:R.choice(['d',"{'x':1,'y':'z'}","messages[0]","nested[0].a"]),'a':lambda:R.choice(['missing','messages[9]','d.nope','bos_token','d.a','l[0]','l[-1]','w[1:]','s[::-1]','loop'])}[kind]()
    e=lambda kk=None: expr(k-1-R.randint(0,1),kk)
    if kind=='s':
        return R.choice([lambda:f"({e('s')} ~ {e()})",lambda:f"({e('s')} + {e('s')})",lambda:f"{e('s')}|{R.choice(['upper','lower','trim','title','capitalize','string','reverse'])}",
         lambda:f"({e('s')}).{R.choice(['strip()','lstrip()','rstrip()','upper()','lower()','title()','capitalize()','strip(@ a@)','replace(@a@,@bb@)','removeprefix(@a@)','zfill(5)','split(@a@)[0]','split()|join(@-@)','rstrip(@¬n@)','replace(@l@,@@,1)','partition(@,@)[2]','splitlines()|length|string','rsplit(@,@,1)|join(@|@)','split(@ @,1)|last'])}",
         lambda:f"{e('l')}|join({R.choice(STR)})",lambda:f"{e()}|tojson",lambda:f"{e()}|tojson(indent=2)",lambda:f"({e('s')})[{R.choice(['0','-1','1:','::2','::-1',':2','-2:','1:3','5'])}]",lambda:f"{e('s')}|default('D')",lambda:f"{e('s')}|replace('a','ZZ')",lambda:f"{e('s')}|indent(2)",lambda:f"{e('s')}|indent(2,true)", lambda:f"({e('s')} * {R.choice(['0','2','3'])})",lambda:f"{e()}|string"])()
    if kind=='n':
        return R.choice([lambda:f"({e('n')} {R.choice(['+','-','*','/','//','%'])} {e('n')})",lambda:f"{e('l')}|length",lambda:f"{e('s')}|length",lambda:f"{e('n')}|{R.choice(['abs','int','float','round','round(1)'])}",lambda:f"{e('s')}|int",lambda:f"({e('n')} ** {R.choice(['0','1','2'])})",lambda:f"-{e('n')}",lambda:f"{e('s')}.{R.choice(['find(@a@)','count(@a@)','rfind(@l@)'])}",lambda:f"{e('s')}|wordcount",lambda:f"{e('l')}|sum", lambda:f"'12'|int + {e('n')}"])()
    if kind=='l':
        return R.choice([lambda:f"{e('l')}|{R.choice(['list','reverse|list','sort','unique|list','select|list','reject|list','map(@string@)|list','select(@defined@)|list','sort(reverse=true)','map(@upper@)|list'])}",lambda:f"({e('l')})[{R.choice(['1:','::-1',':2','::2','-1:','5:'])}]",lambda:f"[{e()}, {e()}]",lambda:f"({e('l')} + {e('l')})",lambda:f"({e('s')}).split({R.choice(['','@,@','@a@','@ @'])})",lambda:f"nested|{R.choice(['selectattr(@a@)|list','rejectattr(@a@)|list','selectattr(@k@,@equalto@,@x@)|list','map(attribute=@k@)|list','map(attribute=@a.b@,default=0)|list','selectattr(@a@,@defined@)|list','sort(attribute=@k@)','map(attribute=@k@)|unique|list','selectattr(@a.b@,@defined@)|map(attribute=@a.b@)|list'])}",lambda:f"{e('d')}|items|list",lambda:f"{e('d')}.items()|list",lambda:f"{e('d')}|dictsort",lambda:f"range({R.choice(['3','1,4','5,0,-2','0'])})|list"])()
    if kind=='b':
        return R.choice([lambda:f"({e()} {R.choice(['==','!='])} {e()})",lambda:f"({e('n')} {R.choice(['<','>','<=','>='])} {e('n')})",lambda:f"({e('s')} < {e('s')})",lambda:f"({e()} {R.choice(['and','or'])} {e()})",lambda:f"(not {e()})",lambda:f"({e()} is {R.choice(['','not '])}{R.choice(['defined','none','string','mapping','iterable','number','integer','float','boolean','true','false','sequence','undefined','callable','upper','lower'])})",lambda:f"({e('s')} {R.choice(['in','not in'])} {e('s')})",lambda:f"({e()} in {e('l')})",lambda:f"({e('s')} in {e('d')})",lambda:f"({e('n')} is {R.choice(['odd','even','divisibleby 3','eq 3','gt(2)','in [1,2,3]'])})",lambda:f"({e('s')}).{R.choice(['startswith','endswith'])}({R.choice(['@a@','(@a@,@ @)'])})",lambda:f"(1 < {e('n')} <= 5)",lambda:f"({e('s')}).{R.choice(['isdigit()','isalpha()','isspace()','isupper()','islower()','isalnum()'])}"])()
    if kind=='d': return R.choice([lambda:f"{{'k': {e()}, 'j': {e()}}}",lambda:f"dict(a={e()})",lambda:e('d')])()
    return R.choice([lambda:f"({e()} if {e('b')} else {e()})",lambda:f"({e()} if {e('b')})",lambda:f"{e('l')}|{R.choice(['first','last','max','min'])}",lambda:f"{e()}|default({e()}, {R.choice(['true','false'])})",lambda:f"{e('d')}.{R.choice(['get(@a@)','get(@q@,1)','a','k','b'])}",lambda:f"{e('d')}['{R.choice('abkC')}']",lambda:f"({e('l')})[{e('n')}]",lambda:f"missing|default({e()})"])()
WS=['','\n',' ','\n  ','\t\n','x','  y\n','\n\n ']
def tag(b): return '{%'+R.choice(['','','-','+'])+' '+b+' '+R.choice(['','','-','+'])+'%}'
def out(b): return '{{'+R.choice(['','','-'])+' '+b+' '+R.choice(['','','-'])+'}}'
def stmt(k):
    w=lambda:R.choice(WS)
    body=lambda: w()+''.join(stmt(k-1)+w() for _ in range(R.randint(0,2)))
    if k<=0: return out(expr(R.randint(0,2)))
    return R.choice([
     lambda:out(expr(R.randint(0,3))),lambda:out(expr(R.randint(0,3))),
     lambda:tag('if '+expr(2,'b'))+body()+(tag('elif '+expr(1,'b'))+body() if R.random()<.3 else '')+(tag('else')+body() if R.random()<.5 else '')+tag('endif'),
     lambda:tag('for x in '+expr(1,'l')+(' if '+R.choice(['x','x is string','x != 1']) if R.random()<.3 else ''))+body()+out(R.choice(['x','loop.index','loop.last','loop.first','loop.length','loop.revindex','loop.previtem','loop.nextitem','loop.cycle("a","b")','loop.changed(x)','loop.depth','x.role','x.k']))+body()+(tag('break') if R.random()<.05 else '')+(tag('else')+body() if R.random()<.3 else '')+tag('endfor'),
     lambda:tag(f"set {R.choice(['v','k2','q'])} = "+expr(2))+body()+out(R.choice(['v','k2','q'])),
     lambda:tag("set ns = namespace(a=1)")+tag("for i in range(3)")+tag("set ns.a = ns.a + i")+tag("endfor")+out('ns.a'),
     lambda:tag("set v")+body()+tag("endset")+out("v"),
     lambda:tag("set v | upper | trim")+body()+tag("endset")+out("v"),
     lambda:tag("macro m(a, b=2)")+body()+out('a')+out('b')+tag("endmacro")+out(f"m({expr(1)})")+out("m(1, b='x')")+out("m()"),
     lambda:'{#'+R.choice(['','-'])+' c '+R.choice(['','-'])+'#}',
     lambda:'{%'+R.choice(['','-'])+' raw '+R.choice(['','-'])+'%}'+w()+'{{ x }}{% y %}'+w()+'{%'+R.choice(['','-'])+' endraw '+R.choice(['','-'])+'%}',
     lambda:tag("filter upper")+body()+tag("endfilter"),
     lambda:tag("for a, b in d.items()")+out('a')+out('b')+tag("endfor"),
     lambda:tag("macro c(a)")+"<"+out("caller(a)")+">"+tag("endmacro")+tag("call(q) c(5)")+out("q")+body()+tag("endcall"),
     lambda:tag("generation")+body()+tag("endgeneration"),
    ])()

# fmt: on


class Generation(jinja2.ext.Extension):
    """{% generation %} marks what the model wrote; what is between is rendered as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_rendered"), [], [], body).set_lineno(line)

    def _rendered(self, caller):
        return caller()


def environment():
    extensions = [Generation, jinja2.ext.loopcontrols]
    result = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def refuse(message):
        raise jinja2.TemplateError(message)

    result.filters["tojson"] = to_json
    result.globals["raise_exception"] = refuse
    result.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(MOMENT).strftime(form)
    return result


def judge(cases):
    """Renders both ways. Where jinja2 renders, we must render the same; returns how often it did."""
    text = "".join(json.dumps({"template": source, "variables": variables}) + "\n" for source, variables in cases)
    command = [BINARY, "template", "--lines", "--time", str(MOMENT)]
    result = subprocess.run(command, input=text.encode(), capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    # A filter's name with a dot is an error that jinja2 finds only where it is rendered.
    dotted = re.compile(r"\|\s*\w+\s*\.")
    answers = [json.loads(line) for line in result.stdout.decode().split("\n") if line]
    assert len(answers) == len(cases)
    judge_environment = environment()
    rendered = refused = 0
    for (source, variables), answer in zip(cases, answers):
        if "error" in answer and dotted.search(source):
            refused += 1
            continue
        try:
            expected = judge_environment.from_string(source).render(**variables)
        except Exception:
            # Python refuses for reasons of its own, too, such as keys that cannot be hashed.
            refused += "error" in answer
            continue
        assert answer == {"text": expected}, source
        rendered += 1
    return rendered, refused


def conversations():
    stream = random.Random(1)
    contents = ["Hi", "  what is 1+1?\n", "<think>\nhm\n</think>\n\nyes", "é \"quoted\" \\ ' text", "<|im_end|>", ""]
    for has_system in (False, True):
        for turns in range(6):
            messages = [{"role": "system", "content": "Be  brief.\n"}] if has_system else []
            for turn in range(turns):
                messages.append({"role": ["user", "assistant"][turn % 2], "content": stream.choice(contents)})
            yield messages
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1, "b": [1.5, None, True], "c": "é<&>"}}}
    yield [
        {"role": "user", "content": "w?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": '{"x": 3}'},
        {"role": "assistant", "content": "done"},
    ]
    yield [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]


@pytest.mark.parametrize("name", TEMPLATES)
def test_public_forms(name):
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    tools = [{"type": "function", "function": {"name": "f", "description": 'd "x"', "parameters": parameters}}]
    cases = [
        (TEMPLATES[name], {
            "messages": messages, "add_generation_prompt": prompt, "tools": given, "documents": None,
            "bos_token": "<s>", "eos_token": "</s>", **more,
        })
        for messages in conversations() for prompt in (False, True) for given in (None, tools)
        for more in ({}, {"enable_thinking": False})
    ]  # fmt: skip
    rendered, refused = judge(cases)
    assert rendered > 40 and rendered + refused == len(cases)


def test_templates_at_random():
    global R
    R = random.Random(SEED)

    def made():
        text = R.choice(WS) + "".join(stmt(2) + R.choice(WS) for _ in range(R.randint(1, 3)))
        return text.replace("@", '"').replace("¬", "\\")

    rendered, _ = judge([(made(), V) for _ in range(COUNT)])
    assert rendered > COUNT // 2
