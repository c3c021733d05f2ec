"""Passwords that are guessed first. Only those that the length rule alone lets through."""

_WORDS = """
00000000 01234567 0123456789 0987654321 1029384756 10203040 11111111 111111111 1111111111
11112222 11223344 112233445566 12121212 12131415 12341234 123412345 12344321 123454321 12345678
123456789 1234567890 12345678910 123456789a 123456789q 12345678a 12345678q 1234567a 1234567q
12345679 123456aa 123456ab 123456abc 1234abcd 1234qwer 123abc123 123qwe123 123qweasd
123qweasdzxc 12qwaszx 13131313 13579246 1357924680 147258369 147852369 159357456 159753456
1a2b3c4d 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz1qaz 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 20202020
21212121 22222222 23456789 24681012 2468101214 25802580 31415926 33333333 36925814 44444444
55555555 55667788 66666666 69696969 741852963 77777777 78787878 789456123 852456852 87654321
88888888 963852741 987654321 9876543210 98765432 99999999 999999999 a1234567 a12345678
a123456789 a1b2c3d4 a1b2c3d4e5 aa123456 aa12345678 aaaaaaaa abc12345 abc123456 abc123abc
abcabc123 abcd1234 abcd12345 abcde12345 abcdefg1 abcdefgh abcdefghi academia access14
administrator airplane alexander alexandra america1 anderson andromeda angel123 arsenal1
asdasd123 asdasdasd asdf1234 asdfasdf asdfghjk asdfghjkl asdfghjkl1 babygirl babygirl1
barcelona bareback baseball baseball1 basketball beautiful benjamin bigdaddy blahblah bluebird
bonjour1 brooklyn bullshit butterfly caroline carolina cassandra catherine champion charlie1
charlotte chelsea1 chicago1 chocolate christian christina christine cocacola computer computer1
consumer corvette courtney creative danielle darkness december default1 diamonds dolphins
dragon12 dragon123 drowssap einstein elephant elizabeth enterprise everton1 facebook facebook1
fernando filipino flamingo football football1 formula1 forever1 francesco freedom1 friendship
fuckyou1 fuckyou2 garfield gateway1 geronimo gfhjkmgfhjkm godzilla goldfish google123 green123
hannover happy123 hardcore hello123 hello1234 hello12345 hellohello helloworld hollywood
home1234 iceberg1 icecream iloveyou iloveyou1 iloveyou2 iloveyou12 iloveyou123 infinity
internet ironman1 isabella jennifer jessica1 jonathan jordan23 justinbieber juventus kristina
lastfm12 letmein1 letmein123 letmein12 linkedin liverpool liverpool1 lollipop london123
love1234 loveyou1 lovelove manchester margarita marlboro marseille maverick maximus1 melissa1
mercedes metallica michael1 michelle microsoft midnight minecraft mississippi money123
monkey123 mountain muhammad mustang1 mynoob12 myspace1 naruto123 nathaniel nicholas nicole123
nintendo nothing1 november october1 pakistan p@ssw0rd p@ssword pa$$w0rd pa$$word paradise
pass1234 pass12345 passw0rd passw0rd1 password password! password. password0 password01
password1 password1! password10 password11 password12 password123 password123! password1234
password12345 password2 password21 password22 password3 password99 passwordpassword patricia
patrick1 penguin1 phoenix1 playboy1 playstation please123 pokemon1 pokemon123 portugal
princesa princess princess1 princess123 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxed qazwsxedc
qazwsxedcrfv qqqqqqqq qqww1122 qwaszx12 qwe123qwe qweasd123 qweasdzxc qweqweqwe qwer1234
qwerasdf qwerqwer qwert123 qwert12345 qwerty11 qwerty12 qwerty123 qwerty1234 qwerty12345
qwerty123456 qwerty78 qwertyui qwertyuiop qwertyuiop123 qwertyqwerty rastafari realmadrid
rebecca1 remember rockstar ronaldo7 rush2112 samantha samsung1 samsung123 scarface scorpion
sebastian secret123 september serenity sergeant shadow123 simpsons singapore singapore1
skywalker slipknot snowball snowboard soccer12 softball spiderman spiderman1 spongebob
starcraft starwars starwars1 steelers stephanie strawberry summer123 sunflower sunshine
sunshine1 superman superman1 superstar swordfish teddybear tennessee test1234 test12345
testtest thailand thebeatles thunder1 tigger123 tikiwallet tikiwallet1 tinkerbell tottenham
trinity1 trustno1 tweety123 undertaker universe valentina vanessa1 veronica victoria victoria1
vietnam1 warcraft warrior1 waterfall wecandoit welcome1 welcome12 welcome123 welcome1234
whatever whatever1 william1 wolverine xxxxxxxx yankees1 yellow12 zaq12wsx zaq1zaq1 zaq1xsw2
zxcvbnm1 zxcvbnm123 zxczxczxc zzzzzzzz
"""
COMMONEST = frozenset(_WORDS.split())
